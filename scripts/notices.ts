import type { BundledPackage } from './bundled-packages.ts';

const line = '-'.repeat(80);

/** THIRD-PARTY-NOTICES: each bundled package with its licence and whose work it is. */
export function notices(packages: readonly BundledPackage[]): string {
  const beginning = 'Penstock is distributed with code of these packages, each under its own licence.\n\n';
  return [beginning, ...packages.map(notice)].join(`${line}\n\n`);
}

function notice({ name, version, licence, copyright, text, homepage }: BundledPackage): string {
  const head = [`${name} ${version}`, `Licence: ${licence ?? 'not named by the package'}`, copyright, homepage];
  const lines = head.filter((entry) => entry !== undefined).join('\n');
  return `${lines}\n\n${text ?? 'The package brings no text of its licence.'}\n\n`;
}
