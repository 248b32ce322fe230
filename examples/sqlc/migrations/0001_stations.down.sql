DROP TABLE readings;
DROP TYPE reading_quality;
DROP TABLE stations;
