-- The rules that ship. Off by default: what is rarely a secret and often wanted in a chat.
-- <start> is what stands before a word, or an escape such as \n: tool output is often JSON inside a
-- string, where the letter of the escape would hide the boundary. It is matched and put back, since a
-- lookbehind is tried from the start of the text at every place, and so quadratic.

insert into pgthreads.redaction_rule
  (ordering, name, category, pattern, replacement, screen, verifier, enabled)
select
  v.ordering, v.name, v.category,
  replace(
    v.pattern, '<start>',
    case when v.verifier is null then '(' else '(?:' end
      || '^|[^A-Za-z0-9]|\\[bfnrt]|\\u[0-9a-fA-F]{4})'
  ),
  v.replacement, v.screen, v.verifier, v.enabled
from (values
  (
    10, 'private_key', 'PEM private keys',
    '-----BEGIN [A-Z0-9 ]*?PRIVATE KEY(?: BLOCK)??-----(?:.*?-----END [A-Z0-9 ]*?PRIVATE KEY(?: BLOCK)??-----)',
    '[REDACTED:private_key]', '-----BEGIN', null, true
  ),
  (
    11, 'private_key_cut', 'PEM private keys without their end',
    '-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\]*',
    '[REDACTED:private_key]', '-----BEGIN', null, true
  ),
  (
    20, 'jwt', 'JSON Web Tokens',
    '<start>eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*',
    '\1[REDACTED:jwt]', 'eyJ', null, true
  ),
  (
    30, 'bearer_token', 'Bearer tokens',
    '(?i)<start>(bearer\s+)[a-z0-9._~+/=-]{16,}',
    '\1\2[REDACTED:bearer_token]', '[Bb][Ee][Aa][Rr][Ee][Rr]', null, true
  ),
  (
    40, 'github_token', 'GitHub and GitLab tokens',
    '<start>(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,})',
    '\1[REDACTED:github_token]',
    'gh[pousr]_|github_pat_|glpat-', null, true
  ),
  (
    50, 'provider_api_key', 'API keys of model providers and payment services',
    '<start>(?:sk-[A-Za-z0-9_-]{16,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|AIza[0-9A-Za-z_-]{35}|gsk_[A-Za-z0-9]{32,}|hf_[A-Za-z0-9]{30,}|xai-[A-Za-z0-9]{32,}|pplx-[A-Za-z0-9]{32,}|r8_[A-Za-z0-9]{32,}|xox[abeoprs]-[A-Za-z0-9-]{10,})',
    '\1[REDACTED:provider_api_key]',
    'sk-[A-Za-z0-9_-]{4}|[rs]k_(?:live|test)_|AIza|gsk_|hf_|xai-|pplx-|r8_|xox[abeoprs]-',
    null, true
  ),
  (
    60, 'cloud_key_id', 'Access key ids of AWS',
    '<start>(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![A-Za-z0-9])',
    '\1[REDACTED:cloud_key]', '(?:AKI|ASI|ABI|ACC)A', null, true
  ),
  (
    61, 'cloud_secret', 'Secret keys of AWS and Azure next to their names',
    '(?i)(secret_?access_?key["'']?\s*[=:]\s*["'']?|accountkey=)[a-z0-9/+=]{40,}',
    '\1[REDACTED:cloud_key]',
    '[Ss][Ss]_?[Kk][Ee][Yy]|[Tt][Kk][Ee][Yy]=',
    null, true
  ),
  (
    70, 'url_password', 'Passwords in URLs',
    '([A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:)[^/\s@]+(@)',
    '\1[REDACTED:password]\2', '://[^/@]*:[^/@]+@', null, true
  ),
  (
    80, 'payment_card', 'Payment cards with a right check digit',
    '(?:^|[^0-9])[2-6](?:[ -]?[0-9]){12,126}',
    '[REDACTED:payment_card]',
    '[2-6](?:[ -]?[0-9]){12}', 'luhn', true
  ),
  (
    90, 'us_ssn', 'US social security numbers',
    '(^|[^0-9-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9-])',
    '\1[REDACTED:us_ssn]', '[0-9]{3}-[0-9]{2}-[0-9]{4}', null, true
  ),
  (
    100, 'iban', 'IBANs with right check digits',
    '<start>[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])',
    '[REDACTED:iban]', '[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}', 'iban', true
  ),
  (
    200, 'email', 'E-mail addresses',
    '[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}',
    '[REDACTED:email]', '@[A-Za-z0-9-]+\.', null, false
  ),
  (
    210, 'phone', 'Phone numbers in international form',
    '(^|[^0-9+])\+[1-9][0-9 ().-]{6,18}[0-9]',
    '\1[REDACTED:phone]', '\+[1-9][0-9 ().-]{6}', null, false
  ),
  (
    220, 'ip_address', 'IPv4 addresses',
    '(^|[^0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?![0-9.])',
    '\1[REDACTED:ip_address]', '[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]', null, false
  )
) as v (ordering, name, category, pattern, replacement, screen, verifier, enabled);
