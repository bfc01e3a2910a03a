// No test reaches beyond this machine: a connection to anything but loopback fails at once, with the address in the error. And properties try
// the same values every time.
import net from 'node:net';
import { configureGlobal } from 'fast-check';
import { seed } from './seed.ts';

configureGlobal({ seed });

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/;
// oxlint-disable-next-line typescript/unbound-method -- called with the socket as `this` below
const connect = net.Socket.prototype.connect;

type ConnectArguments = Parameters<typeof connect>;

function guarded(this: net.Socket, ...args: ConnectArguments): net.Socket {
  const first: unknown = Array.isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
  const options = typeof first === 'object' && first !== null ? (first as { host?: string; path?: string }) : undefined;
  const host = options === undefined ? (typeof args[1] === 'string' ? args[1] : 'localhost') : (options.host ?? 'localhost');
  if (options?.path === undefined && !loopback.test(host))
    throw new Error(`a test tried to reach ${host}; only loopback is allowed`);
  return connect.apply(this, args);
}

// A worker runs this for each of its files, and nock may stand over it by then: it is put in once.
const mark = Symbol.for('penstock: loopback only');
if (!(mark in net.Socket)) net.Socket.prototype.connect = guarded as typeof connect;
Object.assign(net.Socket, { [mark]: true });
