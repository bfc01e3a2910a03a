import { build, type Metafile, type Plugin } from 'esbuild';

const dispatchers = { Agent: 'dispatcher/agent.js', Pool: 'dispatcher/pool.js', buildConnector: 'core/connect.js' };

/**
 * Of undici what the program uses. Its index reads fetch, mocks, caches, cookies and WebSockets too: half of the text that each start would read, for
 * nothing. A name that is missing here fails the build.
 */
const partOfUndici: Plugin = {
  name: 'part-of-undici',
  setup(made) {
    made.onResolve({ filter: /^undici$/ }, () => ({ path: 'index', namespace: 'part-of-undici' }));
    made.onLoad({ filter: /^index$/, namespace: 'part-of-undici' }, () => ({
      contents: Object.entries(dispatchers)
        .map(([name, file]) => `import ${name} from 'undici/lib/${file}';`)
        // What undici's index puts on every dispatcher; tunnels through proxies need it.
        .concat("import connect from 'undici/lib/api/api-connect.js';", 'Pool.prototype.connect = connect;')
        .concat(`export { ${Object.keys(dispatchers).join(', ')} };`)
        .join('\n'),
      resolveDir: import.meta.dirname,
    }));
  },
};

/** Bundles entry files (name of the output -> source) into a folder, everything included, in chunks that are read when they are needed. */
export async function bundle(
  entryPoints: Readonly<Record<string, string>>,
  outdir: string,
  { isReadable = false }: { readonly isReadable?: boolean } = {},
): Promise<Metafile> {
  const { metafile } = await build({
    entryPoints,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: false,
    // A comment with one wide character makes V8 keep the whole file in memory with two bytes a character. Names stay, for stack traces; licences stand
    // in THIRD-PARTY-NOTICES.
    minifyWhitespace: !isReadable,
    minifySyntax: !isReadable,
    legalComments: 'none',
    lineLimit: 200,
    logLevel: 'warning',
    metafile: true,
    plugins: [partOfUndici],
    // The Kafka client reads a file beside itself; in this form of it the file is a part of the code.
    alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
    // Bundled CommonJS packages call require().
    banner: {
      js: "import { createRequire as penstockRequire } from 'node:module';\nconst require = penstockRequire(import.meta.url);",
    },
  });
  return metafile;
}
