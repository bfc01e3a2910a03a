// What characters a reply is written in.
import { isUtf8 } from 'node:buffer';
import type { HttpResponse } from './client.ts';

/**
 * Decodes a reply: as the connector says; as UTF-8 where it is that, whatever the answer declares, for many servers declare a charset that they do
 * not write; else as its Content-Type says, unless most of it is UTF-8 with a wrong byte or two. UTF-16 is known by its first bytes.
 */
export function decodeReply({ body, headers }: Pick<HttpResponse, 'body' | 'headers'>, charset?: string): string {
  const told = charset ?? wideOf(body);
  if (told !== undefined) return new TextDecoder(told).decode(body);
  const text = new TextDecoder('utf-8').decode(body);
  if (isUtf8(body)) return text;
  const declared = decoderOf(/;\s*charset\s*=\s*"?([\w.:-]+)/i.exec(headers['content-type'] ?? '')?.[1]);
  if (declared === undefined) return text;
  let [beyondAscii, lost] = [0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) beyondAscii += 1;
    if (code === 0xfffd) lost += 1;
  }
  return lost * 2 > beyondAscii ? declared.decode(body) : text;
}

/** By a byte order mark, or because JSON and tables begin with ASCII. */
function wideOf([first = 0, second = 0, third = 0, fourth = 0]: Buffer): string | undefined {
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0 && third !== 0 && fourth === 0)) return 'utf-16le';
  return (first === 0xfe && second === 0xff) || (first === 0 && second !== 0 && third === 0 && fourth !== 0)
    ? 'utf-16be'
    : undefined;
}

function decoderOf(label: string | undefined): InstanceType<typeof TextDecoder> | undefined {
  if (label === undefined) return undefined;
  try {
    return new TextDecoder(label);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
