CREATE TABLE shipments (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id        bigint NOT NULL REFERENCES orders (id),
    warehouse_id    smallint NOT NULL REFERENCES warehouses (id),
    carrier         text NOT NULL CHECK (carrier IN ('dhl', 'ups', 'fedex', 'dpd', 'gls', 'postnl')),
    tracking_number varchar(40) NOT NULL,
    status          text NOT NULL CHECK (status IN ('label_created', 'in_transit', 'delivered', 'exception', 'returned')),
    weight_grams    integer NOT NULL CHECK (weight_grams BETWEEN 1 AND 70000),
    shipped_at      timestamptz NOT NULL DEFAULT now(),
    delivered_at    timestamptz,
    CHECK (delivered_at >= shipped_at)
);

CREATE INDEX shipments_order_id_idx ON shipments (order_id);
CREATE INDEX shipments_warehouse_id_shipped_at_idx ON shipments (warehouse_id, shipped_at DESC);
CREATE INDEX shipments_tracking_idx ON shipments (shipped_at, carrier, tracking_number);
