-- The demo's database: believable, deterministic, with the types that trip dumps and restores.
\set ON_ERROR_STOP on
BEGIN;
CREATE SCHEMA ingest;
CREATE SCHEMA reporting;

CREATE TYPE public.engine_status AS ENUM ('running', 'idle', 'maintenance', 'retired');
CREATE DOMAIN public.percentage AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);

CREATE TABLE public.engines (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  site text NOT NULL,
  status public.engine_status NOT NULL DEFAULT 'running',
  rated_kw numeric(8, 2) NOT NULL,
  rated_hp numeric GENERATED ALWAYS AS (rated_kw * 1.34102) STORED,
  tags text[] NOT NULL DEFAULT '{}',
  address inet,
  commissioned_on date NOT NULL
);
INSERT INTO public.engines (name, site, status, rated_kw, tags, address, commissioned_on)
SELECT format('Engine %s', i), (ARRAY['Łódź', 'São Paulo', 'Reykjavík', '東京', 'Leeds'])[1 + i % 5],
  (ARRAY['running', 'running', 'running', 'idle', 'maintenance'])[1 + i % 5]::public.engine_status,
  250 + (i * 37) % 900 + 0.25, ARRAY[format('line-%s', i % 4), CASE WHEN i % 3 = 0 THEN 'say "hi", \ ok' ELSE 'plain' END],
  ('10.20.' || i % 8 || '.' || i)::inet, date '2012-03-01' + i * 41
FROM generate_series(1, 120) AS i;

CREATE TABLE public.sensors (
  id uuid PRIMARY KEY,
  engine_id integer NOT NULL REFERENCES public.engines,
  kind text NOT NULL,
  calibration jsonb NOT NULL,
  firmware bytea
);
INSERT INTO public.sensors
SELECT md5('sensor' || i)::uuid, 1 + i % 120, (ARRAY['temperature', 'pressure', 'vibration', 'flow'])[1 + i % 4],
  jsonb_build_object('offset', i * 0.013, 'by', E'O''Neill\tline\nbreak', 'points', jsonb_build_array(i, i + 1, null)),
  decode(md5(i::text), 'hex')
FROM generate_series(1, 480) AS i;

CREATE TABLE public.readings (
  id bigint GENERATED ALWAYS AS IDENTITY,
  sensor_id uuid NOT NULL REFERENCES public.sensors,
  taken_at timestamptz NOT NULL,
  value double precision NOT NULL,
  quality public.percentage,
  note text
);
INSERT INTO public.readings (sensor_id, taken_at, value, quality, note)
SELECT md5('sensor' || 1 + i % 480)::uuid, timestamptz '2026-01-01 00:00:00Z' + i * interval '73 seconds',
  20 + 15 * sin(i / 500.0) + (hashint4(i) % 1000) / 700.0, (abs(hashint4(i)::bigint) % 10000) / 100.0,
  CASE WHEN i % 5000 = 0 THEN E'odd value \\ checked by "night shift"\n' WHEN i % 7 = 0 THEN '' END
FROM generate_series(1, 320000) AS i;
ALTER TABLE public.readings ADD PRIMARY KEY (id);
CREATE INDEX readings_sensor_time ON public.readings (sensor_id, taken_at);

CREATE TABLE public.jobs (
  id bigserial PRIMARY KEY,
  kind text NOT NULL,
  payload jsonb NOT NULL DEFAULT '{}',
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'processing', 'done', 'failed')),
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz
);
INSERT INTO public.jobs (kind, payload, status, created_at, finished_at)
SELECT (ARRAY['import', 'rollup', 'report'])[1 + i % 3], jsonb_build_object('n', i), 'done',
  timestamptz '2026-06-01' + i * interval '9 minutes', timestamptz '2026-06-01' + i * interval '9 minutes' + interval '40 seconds'
FROM generate_series(1, 20000) AS i;
CREATE INDEX jobs_open ON public.jobs (id) WHERE status IN ('queued', 'processing');

CREATE TABLE ingest.files (
  id bigserial PRIMARY KEY,
  name text NOT NULL UNIQUE,
  received_at timestamptz NOT NULL DEFAULT now(),
  body jsonb NOT NULL
);
INSERT INTO ingest.files (name, received_at, body)
SELECT format('delivery-%s.json', i), timestamptz '2026-02-01' + i * interval '11 minutes',
  jsonb_build_object('lot', i, 'lines', (SELECT jsonb_agg(jsonb_build_object('sku', md5((i * k)::text), 'qty', k)) FROM generate_series(1, 6) AS k))
FROM generate_series(1, 15000) AS i;

CREATE TABLE reporting.daily (
  day date NOT NULL,
  engine_id integer NOT NULL REFERENCES public.engines,
  energy_kwh numeric(12, 3) NOT NULL,
  up_time interval NOT NULL,
  PRIMARY KEY (day, engine_id)
);
INSERT INTO reporting.daily
SELECT date '2026-01-01' + d, e, ((d * 131 + e * 17) % 20000) / 3.0, make_interval(mins => (d * e) % 1440)
FROM generate_series(0, 320) AS d, generate_series(1, 120) AS e;
CREATE VIEW reporting.busiest AS
  SELECT engine_id, sum(energy_kwh) AS energy_kwh FROM reporting.daily GROUP BY engine_id ORDER BY 2 DESC;

CREATE TABLE reporting."Odd Name; -- x" ("select" integer PRIMARY KEY, "ünïcode" text);
INSERT INTO reporting."Odd Name; -- x" VALUES (1, 'a'), (2, NULL), (3, E'\\N');
CREATE TABLE reporting.empty_table (id integer PRIMARY KEY);

CREATE FUNCTION reporting.energy_of(engine integer) RETURNS numeric LANGUAGE sql STABLE
  AS $$ SELECT coalesce(sum(energy_kwh), 0) FROM reporting.daily WHERE engine_id = engine $$;
COMMENT ON TABLE public.readings IS 'One row per sensor and moment';
COMMIT;
ANALYZE;
