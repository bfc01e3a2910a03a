// Who asked: the address of the client and what the vendor knows of it.
import type { Attributes, Endpoint, Location, Os } from './attributes.ts';
import { countryCode } from './country.ts';
import type { MapSpec } from './map-spec.ts';
import { ipOf, knownText, numberOf, type Paths, type Read, textOf } from './reads.ts';

/** The reads of the client. */
export interface ClientReads {
  readonly ip: Read<string>;
  readonly userAgent: Read<string>;
  /** Writes what is known of the address; undefined where the map names nothing of it. */
  readonly fillOrigin: ((endpoint: Endpoint, record: unknown) => void) | undefined;
}

const degrees =
  (limit: number) =>
  (value: unknown): number | undefined => {
    const number = numberOf(value);
    return number !== undefined && Math.abs(number) <= limit ? number : undefined;
  };

const largestSystem = 0xff_ff_ff_ff;

function systemNumber(value: unknown): number | undefined {
  const number = Number(/^(?:AS)?(\d{1,10})$/i.exec(textOf(value)?.trim() ?? '')?.[1]);
  return number <= largestSystem ? number : undefined;
}

/** OCSF os.type_id by a word in the name; the first that fits. */
const systems: readonly (readonly [RegExp, number, string])[] = [
  [/ipad/i, 302, 'iPadOS'],
  [/\bios\b|iphone/i, 301, 'iOS'],
  [/mac ?os|os ?x|darwin|macintosh/i, 300, 'macOS'],
  [/android/i, 201, 'Android'],
  [/windows (?:phone|mobile)/i, 101, 'Windows Mobile'],
  [/windows/i, 100, 'Windows'],
  [/linux|ubuntu|debian|fedora|centos|red ?hat/i, 200, 'Linux'],
  [/solaris|sunos/i, 400, 'Solaris'],
  [/\baix\b/i, 401, 'AIX'],
  [/hp-?ux/i, 402, 'HP-UX'],
];

function osOf(name: string, version: string | undefined): Os {
  const [, type_id, type] = systems.find(([word]) => word.test(name)) ?? [undefined, 99, name];
  return { name, type_id, type, ...(version === undefined ? {} : { version }) };
}

/** Prepares the reads of the client. */
export function openClient(paths: Paths, map: MapSpec): ClientReads {
  const isOriginMapped = Object.keys(map).some((name) => name.startsWith('src_endpoint.') && name !== 'src_endpoint.ip');
  return {
    ip: paths.read(map['src_endpoint.ip'], textOf),
    userAgent: paths.read(map['http_request.user_agent'], textOf),
    fillOrigin: isOriginMapped ? openOrigin(paths, map) : undefined,
  };
}

function openOrigin(paths: Paths, map: MapSpec): ClientReads['fillOrigin'] {
  const domain = paths.read(map['src_endpoint.domain'], knownText);
  const isp = paths.read(map['src_endpoint.isp'], knownText);
  const location = openLocation(paths, map);
  const number = paths.read(map['src_endpoint.autonomous_system.number'], systemNumber);
  const owner = paths.read(map['src_endpoint.autonomous_system.name'], knownText);
  const os = paths.read(map['src_endpoint.os.name'], knownText);
  const version = paths.read(map['src_endpoint.os.version'], knownText);
  return (endpoint, record) => {
    assign(endpoint, 'domain', domain.take(record));
    assign(endpoint, 'isp', isp.take(record));
    assign(endpoint, 'location', location(record));
    const system: NonNullable<Endpoint['autonomous_system']> = {};
    assign(system, 'number', number.take(record));
    assign(system, 'name', owner.take(record));
    if (system.number !== undefined || system.name !== undefined) endpoint.autonomous_system = system;
    const name = os.take(record);
    if (name !== undefined) endpoint.os = osOf(name, version.take(record));
  };
}

function openLocation(paths: Paths, map: MapSpec): (record: unknown) => Location | undefined {
  const city = paths.read(map['src_endpoint.location.city'], knownText);
  const region = paths.read(map['src_endpoint.location.region'], knownText);
  const country = paths.read(map['src_endpoint.location.country'], (value) => countryCode(textOf(value)));
  const postalCode = paths.read(map['src_endpoint.location.postal_code'], knownText);
  const lat = paths.read(map['src_endpoint.location.lat'], degrees(90));
  const long = paths.read(map['src_endpoint.location.long'], degrees(180));
  return (record) => {
    const location: Location = {};
    assign(location, 'city', city.take(record));
    assign(location, 'region', region.take(record));
    assign(location, 'country', country.take(record));
    assign(location, 'postal_code', postalCode.take(record));
    // OCSF has no location that is nothing but coordinates, and half of a pair says nothing.
    if (Object.keys(location).length === 0) return undefined;
    if (lat.get(record) !== undefined && long.get(record) !== undefined) {
      assign(location, 'lat', lat.take(record));
      assign(location, 'long', long.take(record));
    }
    return location;
  };
}

function assign<T, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) target[key] = value;
}

/** Address and User-Agent of the client. */
export function fillClient(event: Attributes, reads: ClientReads, record: unknown): void {
  const address = reads.ip.take(record);
  if (address !== undefined) {
    const ip = ipOf(address);
    event.src_endpoint = ip === undefined ? { name: address } : { ip };
  }
  const userAgent = reads.userAgent.take(record);
  if (userAgent !== undefined) event.http_request = { user_agent: userAgent };
}
