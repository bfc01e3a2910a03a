import { type LookupAddress, lookup, Resolver } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** How long a name's addresses of both kinds may take together. A name server that never answers for one of them holds back the other. */
const patienceMs = 2000;
// Each address that hangs costs its time; so many fit into the time of a connection.
const mostAddresses = 4;

type Found = (error: Error | null, addresses: readonly LookupAddress[]) => void;

/** Who knows the addresses of a name: this machine with all its ways (hosts file, search domains), and a name server asked for one kind. */
export interface Names {
  all(host: string, found: Found): void;
  ofFamily(host: string, family: 4 | 6, found: Found): void;
}

const resolver = new Resolver();

const systemNames: Names = {
  all: (host, found) => lookup(host, { all: true }, (error, addresses) => found(error, error === null ? addresses : [])),
  ofFamily(host, family, found) {
    const done = (error: Error | null, addresses: readonly string[]): void =>
      found(error, error === null ? addresses.map((address) => ({ address, family })) : []);
    if (family === 4) resolver.resolve4(host, done);
    else resolver.resolve6(host, done);
  },
};

/**
 * A lookup that waits for both kinds of addresses, and after {@link patienceMs} takes the kind that a name server gives. Of a name with many
 * addresses each call gives some, in turn.
 */
export function patientLookup(names: Names = systemNames): LookupFunction {
  let turn = 0;
  return (host, { all = false, family = 0 }, callback) => {
    find(names, host, (error, addresses) => {
      const fits = addresses.filter((one) => family === 0 || family === 'IPv4' || family === 'IPv6' || one.family === family);
      const some = fits.length <= mostAddresses ? fits : inTurn(fits, turn++);
      const [first] = some;
      if (error !== null || first === undefined) callback(error ?? new Error(`${host} has no such address`), []);
      else if (all) callback(null, [...some]);
      else callback(null, first.address, first.family);
    });
  };
}

function inTurn(addresses: readonly LookupAddress[], turn: number): LookupAddress[] {
  const start = (turn * mostAddresses) % addresses.length;
  return [...addresses, ...addresses].slice(start, start + mostAddresses);
}

/** Calls back once: with what all said, or with what came first of one kind when that takes too long. */
function find(names: Names, host: string, found: Found): void {
  let isOver = false;
  const end: Found = (error, addresses) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    found(error, addresses);
  };
  const timer = setTimeout(() => {
    for (const family of [4, 6] as const)
      names.ofFamily(host, family, (error, addresses) => {
        if (error === null && addresses.length > 0) end(null, addresses);
      });
  }, patienceMs);
  names.all(host, end);
}
