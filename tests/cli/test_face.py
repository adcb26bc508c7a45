"""A terminal that opens says what it wants of the ranks."""

from pxshell.cli.face import open_face


class Cluster:
    """Its own client; keeps what it is told."""

    def __init__(self):
        self.heard = []

    def client(self):
        return self

    def tell(self, type_, content, ranks):
        self.heard.append((type_, content, ranks))

    def ask(self, type_, content):
        self.heard.append((type_, content))


def test_a_terminal_stays_and_takes_no_more_text_than_it_shows(monkeypatch):
    """P7: what is more than anybody reads is cut where it comes up."""
    cluster = Cluster()
    monkeypatch.setattr("pxshell.terminal.run_terminal", lambda _cluster, *, was_started: int(was_started))
    assert open_face(cluster, was_started=True) == 1
    heard = {said[0]: said[1] for said in cluster.heard}
    assert heard["px_attend_request"] == {"stay": True}
    assert 10e3 < heard["px_pace"]["rate"] < 1e6
