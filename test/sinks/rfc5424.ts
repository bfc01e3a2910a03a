// A parser written from the grammar of RFC 5424 section 6, for tests: anything that the grammar does not allow throws.

export interface Parsed {
  readonly facility: number;
  readonly severity: number;
  readonly timestamp: string;
  readonly hostname: string;
  readonly appName: string;
  readonly procId: string;
  readonly msgId: string;
  /** SD-ID to its parameters in order. */
  readonly elements: ReadonlyMap<string, readonly (readonly [string, string])[]>;
  readonly msg: string | undefined;
}

export function parse5424(message: string): Parsed {
  let at = 0;
  const fail = (what: string): never => {
    throw new Error(`${what} at ${at}: ${JSON.stringify(message.slice(at, at + 30))}`);
  };
  const take = (pattern: RegExp, what: string): string => {
    pattern.lastIndex = at;
    const match = pattern.exec(message);
    if (match === null) return fail(what);
    at += match[0].length;
    return match[1] ?? match[0];
  };
  const printable = (max: number): RegExp => new RegExp(`[\\x21-\\x7e]{1,${max}}(?= )`, 'y');
  const space = (): string => take(/ /y, 'SP');

  const pri = Number(take(/<(0|[1-9]\d{0,2})>/y, 'PRI'));
  if (pri > 191) fail('PRIVAL above 191');
  take(/1(?= )/y, 'VERSION');
  space();
  const timestamp = take(/-|\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)/y, 'TIMESTAMP');
  space();
  const hostname = take(printable(255), 'HOSTNAME');
  space();
  const appName = take(printable(48), 'APP-NAME');
  space();
  const procId = take(printable(128), 'PROCID');
  space();
  const msgId = take(printable(32), 'MSGID');
  space();

  const elements = new Map<string, (readonly [string, string])[]>();
  const name = /[\x21\x23-\x3c\x3e-\x5c\x5e-\x7e]{1,32}/y;
  if (message[at] === '-') at += 1;
  else if (message[at] !== '[') fail('STRUCTURED-DATA');
  while (message[at] === '[') {
    at += 1;
    const id = take(name, 'SD-ID');
    if (elements.has(id)) fail(`SD-ID ${id} twice`);
    const params: (readonly [string, string])[] = [];
    while (message[at] === ' ') {
      at += 1;
      const key = take(name, 'PARAM-NAME');
      take(/="/y, '="');
      const value = take(/((?:[^"\\\]]|\\["\\\]])*)"/y, 'PARAM-VALUE').replace(/\\(["\\\]])/g, '$1');
      params.push([key, value]);
    }
    take(/\]/y, ']');
    elements.set(id, params);
  }
  if (at < message.length && message[at] !== ' ') fail('SP before MSG');
  const msg = at < message.length ? message.slice(at + 1) : undefined;
  return { facility: pri >> 3, severity: pri & 7, timestamp, hostname, appName, procId, msgId, elements, msg };
}
