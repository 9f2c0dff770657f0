// What markdown-it takes from the package `punycode.js`. Browsers convert the names of hosts.

const same = (host: string): string => host;

export const toASCII = same;
export const toUnicode = same;
export default { toASCII, toUnicode };
