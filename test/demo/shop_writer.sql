-- SPDX-License-Identifier: Apache-2.0
-- One transaction of the demo's second writer, run by pgbench.
\set customer random(1, 20000)
\set product random(1, 1000)
\set day random(0, 1200)
\set old random(1, 60000)
BEGIN;
INSERT INTO shop.orders (placed, customer_id, sku, note)
VALUES (date '2023-01-01' + :day, :customer, 'sku-' || :product, '{"source": "demo"}');
UPDATE shop.customer SET tags = array_append(tags[1:3], 'seen'), profile = profile || '{"seen": true}' WHERE id = :customer;
UPDATE shop.product SET price = price + 0.01 WHERE sku = 'sku-' || :product;
UPDATE shop.orders SET state = 'returned', placed = date '2023-01-01' + :day WHERE id = :old;
DELETE FROM shop.orders WHERE id = :old + 1 AND state = 'returned';
COMMIT;
