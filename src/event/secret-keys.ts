// Which names of a record's members say that their value is a secret.

/** What a key holds: `any` value of it is secret, or only its `text`s, because objects and numbers under such a name are evidence. */
type SecretKind = 'any' | 'text';

const whatIsLocked =
  'api|private|access|secret|signing|encryption|shared|master|auth|session|account|storage|subscription|service';
const anyValue = new RegExp(`(?:secret|token|password|passwd|passphrase|pwd|(?:${whatIsLocked})key)$`);
const textValue = new RegExp(
  `(?:authori[sz]ation|cookies?|credentials?|bearer|jwt|secrets|tokens|passwords|passphrases|(?:${whatIsLocked})keys)$`,
);

/** Occurs, without regard to case, in every text in which a key could name a secret. */
export const secretHint = new RegExp(
  `secret|token|passw|passphrase|pwd|authori[sz]ation|cookie|credential|bearer|jwt|(?:${whatIsLocked})[^a-z]{0,2}key`,
  'i',
);

export const longestSecretKey = 80;

/**
 * What a key's last words say: `session_token`, `x-api-key`, `awsSecretAccessKey` and `Passwd` name secrets; `token_id` and `secretQuestion`
 * name something else. Case, digits and what stands between the words do not matter.
 */
export function secretKind(key: string): SecretKind | undefined {
  if (key.length < 3 || key.length > longestSecretKey || !secretHint.test(key)) return undefined;
  const letters = key.toLowerCase().replace(/[^a-z]/g, '');
  if (anyValue.test(letters)) return 'any';
  return textValue.test(letters) ? 'text' : undefined;
}
