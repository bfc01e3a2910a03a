// English names that ICU spells in another way.
const otherNames: Readonly<Record<string, string>> = {
  'united states of america': 'US',
  usa: 'US',
  'great britain': 'GB',
  congo: 'CG',
  'republic of the congo': 'CG',
  'democratic republic of the congo': 'CD',
  'republic of korea': 'KR',
  korea: 'KR',
  'russian federation': 'RU',
  'czech republic': 'CZ',
  turkey: 'TR',
  turkiye: 'TR',
  'viet nam': 'VN',
  'ivory coast': 'CI',
  'hong kong': 'HK',
  macau: 'MO',
  macao: 'MO',
  burma: 'MM',
  myanmar: 'MM',
  swaziland: 'SZ',
  macedonia: 'MK',
  palestine: 'PS',
  'holy see': 'VA',
  'iran, islamic republic of': 'IR',
  'taiwan, province of china': 'TW',
};

// Codes that are no country: unknown, outlying Oceania, unions, pseudo-locales.
const noCountries = new Set(['ZZ', 'QO', 'EU', 'EZ', 'UN', 'XA', 'XB']);
const mostRemembered = 1000;

function plain(name: string): string {
  const letters = name.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  return letters
    .replace(/[\u2019`]/g, "'")
    .replaceAll('&', 'and')
    .replace(/^the /, '')
    .trim();
}

function readNames(): Map<string, string> {
  const codes = new Map(Object.entries(otherNames));
  const english = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('');
  for (const code of letters.flatMap((first) => letters.map((second) => first + second))) {
    const name = noCountries.has(code) ? undefined : english.of(code);
    // Some codes were replaced by another one and have its name: UK, SU, BU.
    const [canonical = ''] = Intl.getCanonicalLocales(`und-${code}`);
    if (name !== undefined) codes.set(code.toLowerCase(), canonical.slice(4)).set(plain(name), canonical.slice(4));
  }
  return codes;
}

let codes: Map<string, string> | undefined;
const known = new Map<string, string | undefined>();

/** The ISO 3166 code of a country told by its code or its English name; undefined for anything else. */
export function countryCode(text: string | undefined): string | undefined {
  if (text === undefined || text.length > 60) return undefined;
  const hit = known.get(text);
  if (hit !== undefined || known.has(text)) return hit;
  codes ??= readNames();
  const code = codes.get(plain(text));
  if (known.size >= mostRemembered) known.clear();
  known.set(text, code);
  return code;
}
