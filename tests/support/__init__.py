"""Things that tests of several folders share: projects, processes, servers."""
