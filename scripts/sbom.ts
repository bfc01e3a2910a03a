import { createHash } from 'node:crypto';
import type { BundledPackage } from './bundled-packages.ts';

/** What package.json says of the product itself. */
export interface Product {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

interface Licence {
  readonly license?: { readonly id: string } | { readonly name: string };
  readonly expression?: string;
}

/** sbom.cdx.json: CycloneDX 1.6, the same bytes for the same bundle. */
export function sbom(product: Product, packages: readonly BundledPackage[]): string {
  const components = packages.map((entry) => ({
    type: 'library',
    'bom-ref': purl(entry),
    name: entry.name,
    version: entry.version,
    licenses: licences(entry.licence),
    copyright: entry.copyright,
    purl: purl(entry),
  }));
  const main = {
    type: 'application',
    'bom-ref': purl(product),
    name: product.name,
    version: product.version,
    licenses: licences(product.license),
    purl: purl(product),
  };
  const bom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf([main, components])}`,
    version: 1,
    metadata: { lifecycles: [{ phase: 'build' }], component: main },
    components,
    dependencies: [
      { ref: purl(product), dependsOn: components.map((component) => component['bom-ref']) },
      ...components.map((component) => ({ ref: component['bom-ref'] })),
    ],
  };
  return `${JSON.stringify(bom, null, 2)}\n`;
}

/** pkg:npm/%40scope/name@1.2.3 */
function purl({ name, version }: { readonly name: string; readonly version: string }): string {
  return `pkg:npm/${name.replace('@', '%40')}@${encodeURIComponent(version)}`;
}

// The schema takes as an id only what SPDX lists; anything else is a name.
const listed =
  /^(?:MIT|MIT-0|ISC|0BSD|Apache-2\.0|BSD-[234]-Clause|BlueOak-1\.0\.0|CC0-1\.0|CC-BY-[34]\.0|MPL-2\.0|Python-2\.0|Unlicense|WTFPL|Zlib|(?:L?GPL|AGPL)-[23]\.[01]-(?:only|or-later))$/;

function licences(licence: string | undefined): Licence[] {
  if (licence === undefined) return [{ license: { name: 'NOASSERTION' } }];
  if (listed.test(licence)) return [{ license: { id: licence } }];
  if (/ (?:OR|AND|WITH) /.test(licence)) return [{ expression: licence }];
  return [{ license: { name: licence } }];
}

/** A UUID of version 8 made of what it stands for. */
function uuidOf(content: unknown): string {
  const digits = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `8${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ].join('-');
}
