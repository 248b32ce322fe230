CREATE TABLE stations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,
    elevation_m integer NOT NULL
);

CREATE TYPE reading_quality AS ENUM ('raw', 'checked', 'rejected');

CREATE TABLE readings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    station_id bigint NOT NULL REFERENCES stations (id),
    measured_at timestamptz NOT NULL,
    temperature numeric(5, 2) NOT NULL,
    quality reading_quality NOT NULL DEFAULT 'raw'
);
