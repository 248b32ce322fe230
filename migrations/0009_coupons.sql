CREATE TABLE coupons (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code            varchar(32) NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('percent', 'amount', 'free_shipping')),
    value           integer NOT NULL CHECK (value BETWEEN 0 AND 10000),
    max_redemptions integer CHECK (max_redemptions > 0),
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    CHECK (ends_at > starts_at)
);

-- Customers type codes in any case.
CREATE UNIQUE INDEX coupons_code_key ON coupons (lower(code));

ALTER TABLE orders ADD COLUMN coupon_id integer REFERENCES coupons (id) ON DELETE SET NULL;
