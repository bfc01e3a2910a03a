// The wall clock of the whole process, dependencies included: every line on standard input is the number of milliseconds that `Date` is off
// from then on. To be imported first: some modules keep `Date` or `Date.now` as they find them.
import { createInterface } from 'node:readline';

const MachineDate = Date;
let skewMs = 0;

const now = (): number => MachineDate.now() + skewMs;

globalThis.Date = new Proxy(MachineDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
  apply: () => new MachineDate(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : (Reflect.get(target, name, receiver) as unknown)),
});

createInterface({ input: process.stdin }).on('line', (line) => {
  skewMs = Number(line);
});
process.stdin.unref();
