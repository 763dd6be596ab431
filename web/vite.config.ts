import { defineConfig } from 'vitest/config';

export default defineConfig({
  base: './', // the page works under any base path, behind any proxy
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // no data: URLs, so that "default-src 'self'" suffices
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  test: { include: ['tests/*.test.ts'] },
  server: { proxy: { '/api': 'http://127.0.0.1:8484', '/query': 'http://127.0.0.1:8484' } },
});
