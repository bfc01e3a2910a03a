// What is done to a text from outside before people see it; secrets are taken out before (secrets.ts).

/** Longest message of somebody else that is kept, in characters. */
const longestMessage = 1_000;

/** At most `most` characters, whole ones; `…` is the last where something was left out. */
export function clip(text: string, most: number = longestMessage): string {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 2);
  return `${text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 2 : most - 1)}…`;
}

// oxlint-disable-next-line no-control-regex
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]|\p{Cf}|\p{Cs}/gu;

/** Text of several lines with `\uFFFD` for each character that steers a terminal or turns its writing round; tabs stay. */
export function harmless(text: string): string {
  return text.replace(steering, '\uFFFD');
}

const controls = /[\p{Cc}\u2028\u2029]+/gu;
const invisible = /\p{Cf}|\p{Cs}/gu;

/** One line without anything that steers a terminal or turns its writing round: controls become a blank, invisible marks `\uFFFD`. */
export function tame(text: string): string {
  return text.replace(controls, ' ').replace(invisible, '\uFFFD');
}

/** JSON text with escapes for what JSON.stringify leaves raw of the same: C1, DEL, marks of direction and other invisible characters. */
export function tameJson(json: string): string {
  return json.replace(/[\u007f-\u009f\u2028\u2029]|\p{Cf}/gu, (found) =>
    found.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}
