import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Metafile } from 'esbuild';
import { beforeEach, describe, expect, it } from 'vitest';
import { bundledPackages } from '../../scripts/bundled-packages.ts';
import { notices } from '../../scripts/notices.ts';
import { sbom } from '../../scripts/sbom.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-packages-'));
});

/** Puts files into a package of the folder; what is not text is JSON. */
function install(path: string, files: Readonly<Record<string, unknown>>): void {
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, 'node_modules', path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }
}

/** What a bundle says that read these files. */
function bundleOf(...inputs: readonly string[]): Metafile {
  return { outputs: {}, inputs: Object.fromEntries(inputs.map((input) => [input, { bytes: 1, imports: [] }])) };
}

const bundled = (...inputs: readonly string[]) => bundledPackages(bundleOf(...inputs), folder);

it('finds each version of each package that a bundle read, also below other packages and with a scope', () => {
  install('b', { 'package.json': { name: 'b', version: '1.0.0', license: 'MIT' } });
  install('@s/a', { 'package.json': { name: '@s/a', version: '2.0.0', license: 'MIT' } });
  install('@s/a/node_modules/b', { 'package.json': { name: 'b', version: '0.9.0', license: 'ISC' } });
  install('unused', { 'package.json': { name: 'unused', version: '1.0.0', license: 'MIT' } });

  const found = bundled(
    'src/cli/main.ts',
    'node_modules/b/lib/node_modules.js',
    'node_modules/b/index.js',
    'node_modules/@s/a/dist/index.js',
    'node_modules/@s/a/node_modules/b/index.js',
  );

  expect(found.map(({ name, version }) => `${name} ${version}`)).toEqual(['@s/a 2.0.0', 'b 0.9.0', 'b 1.0.0']);
});

describe('the licence of a package', () => {
  it('is its own text with the lines that claim a copyright, and its notice', () => {
    install('p', {
      'package.json': { name: 'p', version: '1.0.0', license: 'Apache-2.0' },
      LICENSE: 'Apache License\r\n\r\nCopyright notices: keep them.\r\n   Copyright [yyyy] [name of copyright owner]\r\n',
      NOTICE: 'p\n\nCopyright 2020 The P Authors\n',
      'license-checker.js': 'no licence',
    });

    expect(bundled('node_modules/p/index.js')).toEqual([
      {
        name: 'p',
        version: '1.0.0',
        licence: 'Apache-2.0',
        copyright: 'Copyright 2020 The P Authors',
        text: 'Apache License\n\nCopyright notices: keep them.\n   Copyright [yyyy] [name of copyright owner]\n\np\n\nCopyright 2020 The P Authors',
        homepage: undefined,
      },
    ]);
  });

  it('is the common text with the author where the package brings none', () => {
    install('p', { 'package.json': { name: 'p', version: '1.0.0', license: 'MIT', author: { name: 'A. Uthor' } } });

    const [entry] = bundled('node_modules/p/index.js');

    expect(entry?.copyright).toBe('Copyright A. Uthor');
    expect(entry?.text).toMatch(/^Copyright A\. Uthor\n\nPermission is hereby granted/);
  });

  it('is read in the forms that old packages use', () => {
    install('one', { 'package.json': { name: 'one', version: '1.0.0', license: { type: 'BSD-3-Clause' } } });
    install('two', { 'package.json': { name: 'two', version: '1.0.0', licenses: [{ type: 'MIT' }, { type: 'Apache-2.0' }] } });

    expect(bundled('node_modules/one/a.js', 'node_modules/two/a.js').map(({ licence }) => licence)).toEqual([
      'BSD-3-Clause',
      '(MIT OR Apache-2.0)',
    ]);
  });

  it('is said to be missing where nothing tells it', () => {
    install('p', { 'package.json': { name: 'p', version: '1.0.0' } });
    const packages = bundled('node_modules/p/index.js');

    expect(notices(packages)).toContain(
      'p 1.0.0\nLicence: not named by the package\nCopyright the authors of p\n\nThe package brings no text of its licence.\n',
    );
    expect(JSON.parse(sbom({ name: 'n', version: '1', license: 'MIT' }, packages))).toMatchObject({
      components: [{ licenses: [{ license: { name: 'NOASSERTION' } }] }],
    });
  });
});

it('writes CycloneDX with a purl, a version and a licence of each package, the same for the same bundle', () => {
  install('@s/a', { 'package.json': { name: '@s/a', version: '2.0.0-rc.1+5', license: 'MIT OR Apache-2.0', author: 'S' } });
  const packages = bundled('node_modules/@s/a/index.js');
  const product = { name: 'penstock', version: '1.2.3', license: 'Apache-2.0' };

  const written = sbom(product, packages);

  expect(written).toBe(sbom(product, packages));
  expect(JSON.parse(written)).toEqual({
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: expect.stringMatching(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/) as string,
    version: 1,
    metadata: {
      lifecycles: [{ phase: 'build' }],
      component: {
        type: 'application',
        'bom-ref': 'pkg:npm/penstock@1.2.3',
        name: 'penstock',
        version: '1.2.3',
        licenses: [{ license: { id: 'Apache-2.0' } }],
        purl: 'pkg:npm/penstock@1.2.3',
      },
    },
    components: [
      {
        type: 'library',
        'bom-ref': 'pkg:npm/%40s/a@2.0.0-rc.1%2B5',
        name: '@s/a',
        version: '2.0.0-rc.1+5',
        licenses: [{ expression: 'MIT OR Apache-2.0' }],
        copyright: 'Copyright S',
        purl: 'pkg:npm/%40s/a@2.0.0-rc.1%2B5',
      },
    ],
    dependencies: [
      { ref: 'pkg:npm/penstock@1.2.3', dependsOn: ['pkg:npm/%40s/a@2.0.0-rc.1%2B5'] },
      { ref: 'pkg:npm/%40s/a@2.0.0-rc.1%2B5' },
    ],
  });
});
