import { ApiError } from './errors.ts';

const XLSX_OR_ZIP =
  'This is a zip or spreadsheet file. Save the sheet as "CSV UTF-8" and send that.';

/** What a file that is not CSV begins with, and what to do about it. */
const MAGIC: readonly { readonly bytes: readonly number[]; readonly advice: string }[] = [
  { bytes: [0x50, 0x4b, 0x03, 0x04], advice: XLSX_OR_ZIP },
  { bytes: [0x50, 0x4b, 0x05, 0x06], advice: XLSX_OR_ZIP },
  {
    bytes: [0xd0, 0xcf, 0x11, 0xe0],
    advice: 'This is an old Excel file. Save the sheet as "CSV UTF-8" and send that.',
  },
  { bytes: [0x25, 0x50, 0x44, 0x46], advice: 'This is a PDF. Export the list as CSV.' },
  { bytes: [0x1f, 0x8b], advice: 'This is a gzip file. Unpack it and send the CSV inside.' },
  { bytes: [0xff, 0xfe], advice: 'This is UTF-16. Save the file as "CSV UTF-8" and send that.' },
  { bytes: [0xfe, 0xff], advice: 'This is UTF-16. Save the file as "CSV UTF-8" and send that.' },
];

/** Refuses by its first bytes what cannot be CSV, in words that say what to do. */
export function inspectHead(head: Buffer): void {
  const magic = MAGIC.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
  if (magic !== undefined) throw new ApiError('file-not-csv', magic.advice);
  if (head.includes(0)) {
    throw new ApiError(
      'file-not-csv',
      'The file holds NUL bytes, so it is binary or UTF-16. Save it as "CSV UTF-8" and send that.',
    );
  }
  if (head.length < 65_536 && /^[\s\uFEFF]*$/.test(head.toString('utf8'))) throw emptyFile();
}

/** Passes a body on and refuses it when it ends without a byte. */
export async function* notEmpty(
  body: AsyncIterable<Uint8Array> | null,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of body ?? []) {
    size += piece.length;
    yield piece;
  }
  if (size === 0) throw emptyFile();
}

function emptyFile(): ApiError {
  return new ApiError('file-empty', 'The body holds no rows. Send the CSV file as the body.');
}
