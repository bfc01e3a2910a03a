import { BlockList, isIP } from 'node:net';

const ownAddresses = new BlockList();
ownAddresses.addSubnet('127.0.0.0', 8, 'ipv4');
ownAddresses.addAddress('::1', 'ipv6');

/**
 * True for what leads to this machine by its spelling: 127.0.0.0/8 also in IPv6, ::1, `localhost` and the names below it (RFC 6761). Takes a
 * host as URLs write it, in brackets or not.
 */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.+)\]$/, '$1').toLowerCase();
  const family = isIP(name);
  if (family !== 0) return ownAddresses.check(name, family === 4 ? 'ipv4' : 'ipv6');
  return name === 'localhost' || name.endsWith('.localhost');
}
