import { isIP } from 'node:net';
import { isRawNumber } from '../base/json.ts';
import { compilePath } from './path.ts';

// OCSF's own pattern of an e-mail address: what it refuses would make the event invalid.
const email = /^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$/;
/** The longest address that OCSF allows. */
const longestIp = 40;

/** A scalar as text: text that is not blank, and numbers and booleans as JSON writes them. Undefined for anything else. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.charCodeAt(0) > 32 || value.trim() !== '' ? value : undefined;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return isRawNumber(value) ? value.rawJSON : undefined;
}

/** A text or a list of texts as a list; undefined when there is none. */
export function textsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) {
    const text = textOf(value);
    return text === undefined ? undefined : [text];
  }
  const texts = value.map(textOf);
  // A list with anything but texts stays where it is: part of it would be lost here.
  return texts.length > 0 && texts.every((text) => text !== undefined) ? texts : undefined;
}

/** True when OCSF takes the text as an e-mail address. */
export function isEmail(text: string): boolean {
  return text.length <= 320 && email.test(text);
}

/** The address without blanks around it; undefined when the text is no IPv4 or IPv6 address. */
export function ipOf(text: string): string | undefined {
  const trimmed = text.trim();
  return trimmed.length <= longestIp && isIP(trimmed) !== 0 ? trimmed : undefined;
}

/** Compiles a list of paths of which the first that holds a scalar is taken, as text; see {@link textOf}. Throws as {@link compilePath} does. */
export function compileText(paths: string | readonly string[]): (record: unknown) => string | undefined {
  const getters = (typeof paths === 'string' ? [paths] : paths).map((path) => compilePath(path));
  return (record) => {
    for (const getter of getters) {
      const text = textOf(getter(record));
      if (text !== undefined) return text;
    }
    return undefined;
  };
}
