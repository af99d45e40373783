const GSM_BASIC = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);
const GSM_EXTENDED = new Set('\f^{}\\[~]|€');
const PLAIN_ASCII = /^[\n\r !-Za-z_]*$/;

/** Counts the segments that a text is billed as. */
export function countSegments(body: string): number {
  if (PLAIN_ASCII.test(body)) return split(body.length, 160, 153);
  let septets = 0;
  for (const character of body) {
    if (GSM_BASIC.has(character)) septets += 1;
    else if (GSM_EXTENDED.has(character)) septets += 2;
    else return split(body.length, 70, 67);
  }
  return split(septets, 160, 153);
}

function split(length: number, single: number, part: number): number {
  return length <= single ? 1 : Math.ceil(length / part);
}
