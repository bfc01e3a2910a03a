// The OCSF objects that we write, by hand: types made from the whole schema would be thousands of lines.
/** The tenant of a user. */
export interface Organization {
  uid?: string;
  name?: string;
}

/** A person, system or service account. */
export interface User {
  name?: string;
  uid?: string;
  email_addr?: string;
  full_name?: string;
  domain?: string;
  type_id?: number;
  type?: string;
  risk_level_id?: number;
  risk_level?: string;
  risk_score?: number;
  org?: Organization;
}

/** Where an address is; `country` is an ISO 3166 code of two letters. */
export interface Location {
  city?: string;
  region?: string;
  country?: string;
  postal_code?: string;
  lat?: number;
  long?: number;
}

/** An operating system. */
export interface Os {
  name: string;
  type_id: number;
  type: string;
  version?: string;
}

/** The client of a request. */
export interface Endpoint {
  ip?: string;
  name?: string;
  domain?: string;
  isp?: string;
  location?: Location;
  autonomous_system?: { number?: number; name?: string };
  os?: Os;
}

/** The session in which the performer acted. */
export interface Session {
  uid?: string;
  is_mfa?: boolean;
}

/** A factor by which a user was authenticated. */
export interface AuthFactor {
  readonly factor_type_id: number;
  readonly factor_type: string;
}

/** What is known of an attribute's value beyond the record; `name` is the attribute's path. */
export interface Enrichment {
  readonly name: string;
  readonly value: string;
  readonly type: string;
  readonly provider: string;
  readonly data: RiskLevel;
}

/** An OCSF risk level: 0 Info, 1 Low, 2 Medium, 3 High, 4 Critical. */
export interface RiskLevel {
  readonly risk_level: string;
  readonly risk_level_id: number;
}

/** A group, policy, resource, web resource or service: something with a name, an id or both. */
export interface Thing {
  name?: string;
  uid?: string;
  type?: string;
}

/** A managed entity; by its type it carries one more object of that type. */
export interface Entity extends Thing {
  type_id?: number;
  user?: User;
  group?: Thing;
  org?: Organization;
  policy?: Thing;
}

/** A value to pivot on, with the path where it stands. */
interface Observable {
  readonly name: string;
  readonly type_id: number;
  readonly type: string;
  readonly value: string;
}

/** What an event carries beyond its head, in the order in which it is written. */
export type Attributes = {
  status_id: number;
  status: string;
  status_code?: string;
  status_detail?: string;
  time: number;
  message?: string;
  actor?: { user?: User; session?: Session; app_name?: string };
  src_endpoint?: Endpoint;
  http_request?: { user_agent: string };
  session?: Session;
  is_mfa?: boolean;
  auth_factors?: readonly AuthFactor[];
  user?: User;
  service?: Thing;
  group?: Thing;
  privileges?: readonly string[];
  policies?: readonly Thing[];
  entity?: Entity;
  web_resources?: readonly Thing[];
  api?: { operation: string; service: Thing };
  resource?: Thing;
  resources?: readonly Thing[];
  enrichments?: readonly Enrichment[];
  metadata?: Metadata;
  observables?: readonly Observable[];
  raw_data?: string;
  raw_data_size?: number;
  unmapped?: Record<string, unknown>;
};

/** The metadata of every event. */
export type Metadata = {
  version: string;
  product: { readonly name: string; readonly vendor_name: string; readonly feature: { readonly name: string } };
  uid: string;
  event_code?: string;
  log_name: string;
  log_provider: string;
  log_format: string;
  original_time?: string;
  original_event_uid?: string;
  tenant_uid?: string;
  logged_time?: number;
  correlation_uid?: string;
  processed_time: number;
  profiles?: readonly string[];
  labels?: readonly string[];
};

/** The attributes that every event begins with. */
export type Head = {
  readonly class_uid: number;
  readonly class_name: string;
  readonly category_uid: number;
  readonly category_name: string;
  readonly activity_id: number;
  readonly activity_name: string;
  readonly type_uid: number;
  readonly type_name: string;
  readonly severity_id: number;
  readonly severity: string;
};

/** An event as the mapper writes it and the encoders read it. Type aliases, so that it is an `Event` too. */
export type MappedEvent = Head & Attributes & { metadata: Metadata };

/** Stands for what is required and unknown; encoders skip it. */
export const unknownName = 'Unknown';

const types: Readonly<Record<number, string>> = {
  2: 'IP Address',
  5: 'Email Address',
  16: 'HTTP User-Agent',
  31: 'User Object: uid',
  33: 'Group Object: uid',
};

/** The values an analyst pivots on, each with its path; undefined when there are none. */
export function observablesOf({
  actor,
  user,
  group,
  src_endpoint: source,
  http_request: request,
}: Attributes): readonly Observable[] | undefined {
  const found: Observable[] = [];
  const add = (name: string, typeId: number, value: string | undefined): void => {
    if (value !== undefined && value !== unknownName)
      found.push({ name, type_id: typeId, type: types[typeId] ?? 'Other', value });
  };
  add('actor.user.email_addr', 5, actor?.user?.email_addr);
  add('actor.user.uid', 31, actor?.user?.uid);
  add('user.email_addr', 5, user?.email_addr);
  add('user.uid', 31, user?.uid);
  add('group.uid', 33, group?.uid);
  add('src_endpoint.ip', 2, source?.ip);
  add('http_request.user_agent', 16, request?.user_agent);
  return found.length === 0 ? undefined : found;
}
