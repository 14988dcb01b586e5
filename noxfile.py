"""The tests on every Python that we support: `nox`."""

import nox


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run the short suite."""
    session.run("python", "-m", "pip", "install", "--quiet", "--upgrade", "pip>=25.1", silent=True)
    session.install("--editable", ".[all]", "--group", "test")
    session.run("python", "-m", "pytest", *session.posargs)
