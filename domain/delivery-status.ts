/** Delivery as the carrier reports it, in rank order: reports come in any order and only ever raise it. */
export const DELIVERY_STATUSES = [
  'none',
  'queued',
  'sending',
  'sent',
  'undelivered',
  'failed',
  'canceled',
  'delivered',
  'read',
] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];
