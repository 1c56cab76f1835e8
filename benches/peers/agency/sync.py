"""agency-swarm's own synchronisation, one change at a time: `sync.py agency CHANGE BASE_URL TEXT`.

An agent keeps a folder of files and a vector store alike: whenever it is made it compares what is in the folder by modification time with
OpenAI's File objects, whose ids it puts into the files' names, and removes from the store what the folder does not have. Here a
person changes the one file there, and makes the agent.
"""
import os, pathlib, sys

_, CHANGE, BASE_URL, TEXT = sys.argv[1:5]
os.environ.update(OPENAI_BASE_URL=BASE_URL, OPENAI_API_KEY="key", OPENAI_AGENTS_DISABLE_TRACING="1")

from agency_swarm import Agent

# It puts the store's id behind the folder's name, and finds it again by the one that it was given.
given = pathlib.Path("files")
folder = next(pathlib.Path().glob("files_vs_*"), given)
folder.mkdir(exist_ok=True)
file = next(folder.glob("*.txt"), folder / "file.txt")
match CHANGE:
    case "delete":
        file.unlink()
    case "rename":
        file.rename(file.with_name(file.name.replace("file", "signed", 1)))
    case "touch":
        file.touch()
    case _:
        file.write_text(TEXT)
Agent(name="peer", instructions="none", files_folder=str(given.absolute()))
