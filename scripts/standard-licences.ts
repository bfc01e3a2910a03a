// The texts of licences. Packages that name one of them do not always bring its text along, and the licence wants it to go with every copy.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const mitWarranty = `THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,
INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A
PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT
HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT,
TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE
USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const iscWarranty = `THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR
CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR
PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,
ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.`;

const texts: ReadonlyMap<string, string> = new Map([
  [
    'MIT',
    `Permission is hereby granted, free of charge, to any person obtaining a copy of this
software and associated documentation files (the "Software"), to deal in the Software
without restriction, including without limitation the rights to use, copy, modify,
merge, publish, distribute, sublicense, and/or sell copies of the Software, and to
permit persons to whom the Software is furnished to do so, subject to the following
conditions:

The above copyright notice and this permission notice shall be included in all copies
or substantial portions of the Software.

${mitWarranty}`,
  ],
  [
    'ISC',
    `Permission to use, copy, modify, and/or distribute this software for any purpose with
or without fee is hereby granted, provided that the above copyright notice and this
permission notice appear in all copies.

${iscWarranty}`,
  ],
  [
    '0BSD',
    `Permission to use, copy, modify, and/or distribute this software for any purpose with
or without fee is hereby granted.

${iscWarranty}`,
  ],
  // Our own: its text names nobody.
  ['Apache-2.0', readFileSync(join(import.meta.dirname, '..', 'LICENSE'), 'utf8').trim()],
]);

/** The text of a licence with the line of its holder; undefined for those whose text is not known here. */
export function standardText(licence: string | undefined, copyright: string): string | undefined {
  const text = texts.get(licence ?? '');
  return text === undefined ? undefined : `${copyright}\n\n${text}`;
}
