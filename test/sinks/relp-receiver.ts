// A RELP server in a few lines, written from the specification and not from the client: it answers as the test says.
import type net from 'node:net';
import { listen, type Receiver } from './receiver.ts';

export interface Frame {
  readonly txnr: number;
  readonly command: string;
  readonly data: string;
}

/** What to answer to a frame: `200 OK`, `500 no`, or undefined for silence. */
export type Answer = (frame: Frame, socket: net.Socket, connection: number) => string | undefined;

export interface RelpReceiver extends AsyncDisposable {
  readonly port: number;
  /** Frames of each connection in order. */
  readonly sessions: readonly (readonly Frame[])[];
  readonly receiver: Receiver;
}

export const ok: Answer = () => '200 OK';

/** The usual answer to `open`, with what the server offers. */
export const opened = '200 OK\nrelp_version=0\nrelp_software=test\ncommands=syslog';

export async function listenRelp(answer: Answer, port = 0): Promise<RelpReceiver> {
  const sessions: Frame[][] = [];
  const receiver = await listen(
    (socket) => {
      const frames: Frame[] = [];
      const connection = sessions.push(frames) - 1;
      let rest: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk]);
        for (;;) {
          const match = /^(\d+) (\S+) (\d+)( |\n)/.exec(rest.toString('latin1', 0, 80));
          if (match === null) return;
          const length = Number(match[3]);
          const start = length === 0 && match[4] === '\n' ? match[0].length - 1 : match[0].length;
          if (rest.length < start + length + 1) return;
          if (rest[start + length] !== 0x0a) throw new Error('no LF behind a frame');
          const frame = { txnr: Number(match[1]), command: match[2] ?? '', data: rest.toString('utf8', start, start + length) };
          rest = rest.subarray(start + length + 1);
          frames.push(frame);
          const text = frame.command === 'open' && answer === ok ? opened : answer(frame, socket, connection);
          if (text !== undefined && !socket.destroyed) socket.write(`${frame.txnr} rsp ${Buffer.byteLength(text)} ${text}\n`);
        }
      });
    },
    undefined,
    port,
  );
  return { port: receiver.port, sessions, receiver, [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose]() };
}
