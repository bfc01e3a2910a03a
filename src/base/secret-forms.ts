// The ways in which a secret may stand in a text that somebody echoes.

/** Shorter values would hollow out ordinary text. */
export const shortestSecret = 4;
const shortestPart = 8;
/** A line of a key file, a segment of a webhook's path: words that stand in every URL are shorter or have no digit. */
const longWord = 20;
const mostPartsOf = 100_000;

/** Base64 of the value wherever it begins in what is encoded, without the characters that its neighbours share. */
function insideBase64(value: string): string[] {
  const bytes = Buffer.from(value);
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
}

const urlSafe = (base64: string): string => base64.replaceAll('+', '-').replaceAll('/', '_');

/** The value as it is and as encodings write it that are not undone when a text is searched. */
export function formsOf(value: string): string[] {
  const hex = Buffer.from(value).toString('hex');
  const whole = Buffer.from(value).toString('base64');
  const inside = insideBase64(value).filter((form) => form.length >= shortestPart);
  const forms = [
    value,
    encodeURIComponent(value.toWellFormed()),
    JSON.stringify(value).slice(1, -1),
    value.replace(/\s+/g, ' '),
    value.replaceAll(' ', '+'),
    hex,
    hex.toUpperCase(),
    ...[whole, ...inside].flatMap((form) => [form, urlSafe(form)]),
  ];
  return [...new Set(forms)].filter((form) => form.length >= shortestSecret);
}

function isTelling(part: string): boolean {
  return part.length >= longWord || (part.length >= shortestPart && /\d/.test(part) && /[a-z]/i.test(part));
}

function urlParts(url: URL): string[] {
  const [user, password] = [url.username, url.password].map((part) => decoded(part));
  const pair = user === '' ? [] : [Buffer.from(`${user}:${password}`).toString('base64')];
  const pieces = `${url.pathname}${url.search}${url.hash}`.split(/[/?&=#;]/).flatMap((piece) => [piece, decoded(piece)]);
  const path = `${url.pathname}${url.search}`;
  return [...pair, password === '' ? (user ?? '') : (password ?? ''), ...[path, ...pieces].filter(isTelling)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

function jsonTexts(value: string): string[] {
  if (!value.trimStart().startsWith('{')) return [];
  try {
    const members = Object.values(JSON.parse(value) as Record<string, unknown>);
    return members.filter((one) => typeof one === 'string' && one.length >= longWord && !/^https?:|@/.test(one)) as string[];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/**
 * What of a value is a secret by itself: segments and parameters of a URL's path, its password, the proof behind a scheme such as `Bearer`,
 * the lines and texts of a key file.
 */
export function partsOf(value: string): string[] {
  if (value.length > mostPartsOf) return [];
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? URL.parse(value) : null;
  if (url !== null) return urlParts(url);
  const texts = jsonTexts(value);
  const lines = [value, ...texts].flatMap((text) => (text.includes('\n') ? text.split('\n') : [])).map((line) => line.trim());
  const proof = /^[A-Za-z][\w-]{1,20} +(\S+)$/.exec(value)?.[1] ?? '';
  const pieces = /^[^\s]*[/?&][^\s]*$/.test(value) ? value.split(/[/?&=#;]/) : [];
  return [...texts, ...lines, proof, ...pieces].filter(isTelling);
}

/** True for what may share its beginning with texts that are no secret. */
export function hasCommonBeginning(form: string): boolean {
  return form.includes('://') || form.startsWith('/') || form.startsWith('-----');
}
