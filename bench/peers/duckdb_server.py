"""Holds DuckDB for the comparison: duckdb_server.py PORT DATABASE.

GET /ping; POST /query with SQL answers the rows as JSON; POST /insert/TABLE takes CSV whose first column is a time in
ms. The header X-Ms of each answer says how long DuckDB took, from the statement to the last row in hand.
"""
import http.server
import json
import os
import sys
import tempfile
import time

import duckdb

connection = duckdb.connect(sys.argv[2])


def insert(table, body):
    with tempfile.NamedTemporaryFile(suffix=".csv", delete=False) as file:
        file.write(body)
    try:
        first = "column00" if table == "cpu" else "column0"  # named by the number of columns
        connection.execute(
            f"INSERT INTO {table} SELECT make_timestamp({first} * 1000), * EXCLUDE ({first}) "
            f"FROM read_csv('{file.name}', header=false)"
        )
    finally:
        os.unlink(file.name)


def query(sql):
    """Columns of the answer; numpy's arrays, because a Python object a cell would cost more than many a query."""
    connection.execute(sql)
    return connection.fetchnumpy() if sql.startswith("SELECT") else {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, ms=0.0):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Ms", f"{ms:.6f}")
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer(200, "ok")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        begin = time.perf_counter()
        try:
            columns = {}
            if self.path.startswith("/insert/"):
                insert(self.path.removeprefix("/insert/"), body)
            else:
                columns = query(body.decode())
            ms = (time.perf_counter() - begin) * 1000
            rows = list(zip(*(column.tolist() for column in columns.values())))
            self.answer(200, json.dumps(rows), ms)
        except duckdb.Error as error:
            self.answer(400, str(error))

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
