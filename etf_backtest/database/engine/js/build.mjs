// Bundle the engine and all it needs into one file that runs far from node_modules.
// `node build.mjs [--force]`; without --force only when an input is newer than the bundle.
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))
const bundle = join(here, '..', 'dist', 'query_engine.mjs')

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function inputs() {
  const sources = readdirSync(here).filter((name) => name.endsWith('.mjs')).map((name) => join(here, name))
  // npm gives packages no useful time: their versions stand in the lock file
  return [...sources, join(here, '..', '..', '..', '..', 'package-lock.json')]
}

if (!process.argv.includes('--force') && inputs().every((path) => modified(path) < modified(bundle))) {
  console.error('query engine: up to date')
} else {
  await build({
    entryPoints: [join(here, 'query_engine.mjs')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'eof',
    external: ['pg-native'],
    // pg and its friends are CommonJS and call require()
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  })
  console.error('query engine: built')
}
