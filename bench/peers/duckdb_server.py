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
        return connection.execute(
            f"INSERT INTO {table} SELECT make_timestamp(column00 * 1000), * EXCLUDE (column00) "
            f"FROM read_csv('{file.name}', header=false)"
            if table == "cpu"
            else f"INSERT INTO {table} SELECT make_timestamp(column0 * 1000), * EXCLUDE (column0) "
            f"FROM read_csv('{file.name}', header=false)"
        ).fetchall()
    finally:
        os.unlink(file.name)


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
            if self.path.startswith("/insert/"):
                rows = insert(self.path.removeprefix("/insert/"), body)
            else:
                rows = connection.execute(body.decode()).fetchall()
            ms = (time.perf_counter() - begin) * 1000
            self.answer(200, json.dumps(rows), ms)
        except duckdb.Error as error:
            self.answer(400, str(error))

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
