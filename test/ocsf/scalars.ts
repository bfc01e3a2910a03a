// The scalar types of OCSF as JSON Schema. Where OCSF's own pattern takes more than it names, these are stricter: whole values, real addresses.

/** `{}` takes anything: OCSF's `json`. `object` is a free-form object such as `unmapped`. */
export const scalars: Readonly<Record<string, object>> = {
  boolean: { type: 'boolean' },
  email: { type: 'string', pattern: "^[A-Za-z0-9_!#$%&'*+,./=?^`{|}~-]+@[A-Za-z0-9-]+\\.[A-Za-z0-9.-]+$" },
  integer: { type: 'integer' },
  ip: { type: 'string', maxLength: 40, format: 'ip' },
  json: {},
  mac: { type: 'string', maxLength: 32, pattern: '^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$' },
  number: { type: 'number' },
  object: { type: 'object' },
  port: { type: 'integer', minimum: 0, maximum: 65_535 },
  string: { type: 'string' },
  subnet: { type: 'string', maxLength: 42 },
  uuid: { type: 'string', pattern: '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' },
};
