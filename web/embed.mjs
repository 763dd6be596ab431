// Turns the built page into one C++ source: node embed.mjs DIST OUT.cc
// Every file is gzipped here, once, so the server only ever copies bytes. Same input, same output.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};
// The promise is a first load of 200 KB, and all of the page fits into it; growing past this should be a decision.
const GZIP_BYTES_MAX = 200_000;

function filesIn(folder, prefix = '') {
  return readdirSync(join(folder, prefix), { withFileTypes: true })
    .flatMap((entry) => {
      const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
      return entry.isDirectory() ? filesIn(folder, name) : [name];
    })
    .sort();
}

function fail(message) {
  console.error(`embed.mjs: ${message}`);
  process.exit(1);
}

const [dist, out] = process.argv.slice(2);
if (dist === undefined || out === undefined) fail('usage: node embed.mjs DIST OUT.cc');

let total = 0;
const arrays = [];
const entries = [];
for (const [index, name] of filesIn(dist).entries()) {
  const type = TYPES[extname(name)] ?? fail(`no content type known for ${name}`);
  const gzip = gzipSync(readFileSync(join(dist, name)), { level: 9 });
  gzip[9] = 255; // the header's "made on" byte: unknown, wherever it was made
  const etag = createHash('sha256').update(gzip).digest('hex').slice(0, 16);
  const path = name === 'index.html' ? '/' : `/${name}`;
  total += gzip.length;
  arrays.push(`constexpr unsigned char kBytes${index}[] = {${[...gzip].join(',')}};`);
  entries.push(`    {"${path}", "${type}", "\\"${etag}\\"", text(kBytes${index})},`);
}
if (total > GZIP_BYTES_MAX) fail(`the page is ${total} bytes gzipped, more than ${GZIP_BYTES_MAX}`);
if (!entries.some((entry) => entry.includes('{"/", '))) fail(`no index.html in ${dist}`);

writeFileSync(
  out,
  `// Made by web/embed.mjs from web/dist: ${entries.length} files, ${total} bytes.
#include "web/assets.h"

namespace varve {
namespace {
${arrays.join('\n')}

template <std::size_t kSize>
std::string_view text(const unsigned char (&bytes)[kSize]) {
  return {reinterpret_cast<const char*>(bytes), kSize};
}

const WebAsset kAssets[] = {
${entries.join('\n')}
};
}  // namespace

std::span<const WebAsset> web_assets() { return kAssets; }

}  // namespace varve
`,
);
