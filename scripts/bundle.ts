import { build, type Metafile } from 'esbuild';

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
    // The Kafka client reads a file beside itself; in this form of it the file is a part of the code.
    alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
    // Bundled CommonJS packages call require().
    banner: {
      js: "import { createRequire as penstockRequire } from 'node:module';\nconst require = penstockRequire(import.meta.url);",
    },
  });
  return metafile;
}
