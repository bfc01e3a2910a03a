import type { Endpoint, MappedEvent } from '../attributes.ts';

/** From where and how the performer came, and how risky that is: what the derived encodings tell of it beside the address. */
export interface Origin {
  readonly location: NonNullable<Endpoint['location']>;
  readonly system: NonNullable<Endpoint['autonomous_system']>;
  readonly os: Partial<NonNullable<Endpoint['os']>>;
  readonly domain: string | undefined;
  readonly isp: string | undefined;
  readonly sessionId: string | undefined;
  readonly isMfa: boolean | undefined;
  /** Caption of the factor of an authentication. */
  readonly factor: string | undefined;
  readonly userDomain: string | undefined;
  readonly userRiskLevel: string | undefined;
  readonly userRiskScore: number | undefined;
  /** What the action table says of the action. */
  readonly riskLevel: string | undefined;
}

const nothing = {};

/** Reads the origin of an event. */
export function originOf(event: MappedEvent): Origin {
  const { src_endpoint: source, session = event.actor?.session } = event;
  const user = event.actor?.user;
  return {
    location: source?.location ?? nothing,
    system: source?.autonomous_system ?? nothing,
    os: source?.os ?? nothing,
    domain: source?.domain,
    isp: source?.isp,
    sessionId: session?.uid,
    isMfa: event.is_mfa ?? session?.is_mfa,
    factor: event.auth_factors?.[0]?.factor_type,
    userDomain: user?.domain,
    userRiskLevel: user?.risk_level,
    userRiskScore: user?.risk_score,
    riskLevel: event.enrichments?.[0]?.data.risk_level,
  };
}

/** Name and version of the operating system in one text. */
export function osText({ os }: Origin): string | undefined {
  return os.version === undefined ? os.name : `${os.name} ${os.version}`;
}
