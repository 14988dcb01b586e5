"""An app of `apps.py` by the plain name that every server can find: `MATRIX_APP` says which."""

import os

from tests.servers_matrix.apps import APPS

app = APPS[os.environ["MATRIX_APP"]]()
