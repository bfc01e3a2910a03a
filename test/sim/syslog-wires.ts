// Receivers of syslog over TCP (both framings) and UDP, and of RELP, at the level of octets.
import type { Copy, Letter, Sender } from './receivers.ts';
import type { ReceiverFault } from './scenario.ts';
import type { Peer, Wire } from './sockets.ts';

export interface SyslogParts {
  readonly strikes: (kind: ReceiverFault) => boolean;
  readonly refuses: (uid: string) => boolean;
  readonly keep: (letter: Letter, sender: Sender) => Copy;
  /** Told of what breaks the protocol, in words. */
  readonly problem: (text: string) => void;
  /** Number of the process that opened the connection. */
  readonly process: number;
}

const pattern =
  /^<\d{1,3}>1 \S+ \S+ \S+ \S+ \S+ (?:\[meta sequenceId="\d+"\])\[penstock@\d+ uid="((?:[^"\\\]]|\\.)*)" source="((?:[^"\\\]]|\\.)*)"\] (.*)$/s;

function letterOf(message: string, problem: SyslogParts['problem']): Letter | undefined {
  const [, uid = '', source = '', text = ''] = pattern.exec(message) ?? [];
  if (text === '') {
    problem(`a message that is no RFC 5424: ${message.slice(0, 200)}`);
    return undefined;
  }
  const metadata = metadataOf(text);
  if (metadata === undefined) {
    problem(`a message whose text is no event: ${message.slice(0, 200)}`);
    return undefined;
  }
  if (metadata.uid !== uid) problem(`the structured data says ${uid}, the event ${metadata.uid}`);
  return { uid, source, replay: metadata.labels.includes('replayed'), batch: '', text };
}

function metadataOf(text: string): { readonly uid: string; readonly labels: readonly string[] } | undefined {
  try {
    return (JSON.parse(text) as { metadata: { readonly uid: string; readonly labels: readonly string[] } }).metadata;
  } catch {
    return undefined;
  }
}

/** Collects octets and cuts whole pieces off. */
class Buffered {
  #rest = Buffer.alloc(0);

  add(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
  }

  /** Octets up to a byte, without it; undefined where it has not come. */
  upTo(byte: number): string | undefined {
    const at = this.#rest.indexOf(byte);
    if (at === -1) return undefined;
    const text = this.#rest.toString('utf8', 0, at);
    this.#rest = this.#rest.subarray(at + 1);
    return text;
  }

  /** A piece that one pattern describes by its head and the length in it; undefined where it is not whole. */
  counted(head: RegExp, tail: number): { readonly head: RegExpExecArray; readonly data: string } | undefined {
    const found = head.exec(this.#rest.toString('latin1', 0, 64));
    if (found === null) return undefined;
    const from = found[0].length;
    const to = from + Number(found.groups?.['length']);
    if (this.#rest.length < to + tail) return undefined;
    const data = this.#rest.toString('utf8', from, to);
    this.#rest = this.#rest.subarray(to + tail);
    return { head: found, data };
  }
}

/** A receiver of plain syslog: it stores every whole message, answers nothing, and what a connection ends in the middle of it throws away. */
export function plainPeer(framing: 'lf' | 'octet_counting', wire: Wire, { keep, problem, process }: SyslogParts): Peer {
  const buffered = new Buffered();
  const next = (): string | undefined => (framing === 'lf' ? buffered.upTo(0x0a) : buffered.counted(/^(?<length>\d+) /, 0)?.data);
  return {
    read(bytes, leftAt) {
      buffered.add(bytes);
      for (let message = next(); message !== undefined; message = next()) {
        const letter = letterOf(message, problem);
        if (letter !== undefined) keep(letter, { process, leftAt });
      }
    },
    ended: () => wire.end(),
  };
}

/** A receiver of datagrams: each is a message. */
export function datagramPeer({ keep, problem, process }: SyslogParts): Peer {
  return {
    read(bytes, leftAt) {
      const letter = letterOf(bytes.toString('utf8'), problem);
      if (letter !== undefined) keep(letter, { process, leftAt });
    },
    ended: () => undefined,
  };
}

/** A receiver of RELP: an answer for each frame. */
export function relpPeer(wire: Wire, { keep, refuses, strikes, problem, process }: SyslogParts): Peer {
  const buffered = new Buffered();
  let isClosed = false;
  const answer = (txnr: string, text: string, onTold?: () => void): void =>
    wire.say(`${txnr} rsp ${Buffer.byteLength(text)}${text === '' ? '' : ` ${text}`}\n`, onTold);
  const take = (txnr: string, message: string, leftAt: number): void => {
    const letter = letterOf(message, problem);
    if (letter === undefined || strikes('refuse_all') || refuses(letter.uid)) return answer(txnr, '500 not taken');
    const copy = keep(letter, { process, leftAt });
    answer(txnr, '200 OK', () => void (copy.doubt = false));
  };
  const close = (): void => {
    isClosed = true;
    wire.say('0 serverclose 0\n');
    wire.end();
  };
  const frame = (txnr: string, command: string, data: string, leftAt: number): void => {
    if (command === 'open') answer(txnr, strikes('hold') ? '500 not now' : '200 OK\nrelp_version=0\ncommands=syslog');
    else if (command === 'syslog') take(txnr, data, leftAt);
    else if (command === 'close') {
      answer(txnr, '');
      close();
    } else problem(`an unknown RELP command ${command}`);
  };
  return {
    read(bytes, leftAt) {
      buffered.add(bytes);
      for (;;) {
        const next = isClosed ? undefined : buffered.counted(/^(?<txnr>\d+) (?<command>[a-z]+) (?<length>\d+)(?: |(?=\n))/, 1);
        if (next === undefined) return;
        frame(next.head.groups?.['txnr'] ?? '', next.head.groups?.['command'] ?? '', next.data, leftAt);
        if (strikes('partial') && !isClosed) close();
      }
    },
    ended: () => wire.end(),
  };
}
