"""Models as graders: what they are asked, how their replies are read, and how several of them are joined."""
