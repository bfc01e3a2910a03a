import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Which way bytes go: `up` to the server, `down` to the client. */
export type Way = 'up' | 'down';

interface ByteProxy extends AsyncDisposable {
  readonly url: string;
  /** Bytes that passed since the last `count` or `cutAfter`. */
  readonly passed: Readonly<Record<Way, number>>;
  /** How often a connection was broken. */
  readonly cuts: number;
  /** Counts anew, and breaks nothing any more. */
  count(): void;
  /** Counts anew; once `bytes` have passed that way, both ends of the connection break, and what came with them is lost. */
  cutAfter(way: Way, bytes: number): void;
  /** Once a client has sent what matches the first, then over the same connection the next and so on, nothing comes back to any client. */
  holdFrom(...sent: readonly RegExp[]): void;
  /** True while answers are held back. */
  readonly isHolding: boolean;
  /** Hands over what was held back. */
  letGo(): void;
  /** Called with everything that a client has sent, after it was passed on. */
  onSent(look: (sent: Buffer) => void): void;
}

/** Stands between a client and the database, passes everything on, and breaks connections where a test says. */
export async function openByteProxy(url: string): Promise<ByteProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let passed = { up: 0, down: 0 };
  let cut: { readonly way: Way; readonly bytes: number } | undefined;
  let cuts = 0;
  let look: (sent: Buffer) => void = () => undefined;
  let holdsFrom: readonly RegExp[] = [];
  let matched = new WeakMap<Socket, number>();
  let held: (() => void)[] | undefined;

  const hold = (way: Way, data: Buffer, to: Socket): boolean => {
    const done = matched.get(to) ?? 0;
    if (way === 'up' && held === undefined && holdsFrom[done]?.test(data.toString('latin1')) === true) {
      matched.set(to, done + 1);
      if (done + 1 === holdsFrom.length) held = [];
    }
    if (way === 'down') held?.push(() => void to.write(data));
    return way === 'down' && held !== undefined;
  };
  const pass = (way: Way, data: Buffer, from: Socket, to: Socket): void => {
    const left = cut?.way === way ? cut.bytes - passed[way] : Number.POSITIVE_INFINITY;
    passed[way] += data.length;
    if (hold(way, data, to)) return;
    if (data.length < left) {
      to.write(data);
    } else {
      cut = undefined;
      cuts += 1;
      // The server gets what had passed before the end; a client that lost its server got that, and no more.
      to.end(data.subarray(0, left));
      from.destroy();
    }
    if (way === 'up') look(data);
  };
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [way, from, to] of [['up', near, far] as const, ['down', far, near] as const]) {
      sockets.add(from);
      from.on('data', (data: Buffer) => pass(way, data, from, to));
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.end();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    get passed() {
      return passed;
    },
    get cuts() {
      return cuts;
    },
    count() {
      passed = { up: 0, down: 0 };
      cut = undefined;
    },
    cutAfter(way, bytes) {
      passed = { up: 0, down: 0 };
      cut = { way, bytes };
    },
    holdFrom(...sent) {
      holdsFrom = sent;
      matched = new WeakMap();
    },
    get isHolding() {
      return held !== undefined;
    },
    letGo() {
      const answers = held ?? [];
      holdsFrom = [];
      held = undefined;
      for (const answer of answers) answer();
    },
    onSent(next) {
      look = next;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
