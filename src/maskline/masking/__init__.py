"""The product's rules, pure: numbers, sessions, pool, matching, facts and records. No IO, no clock, no asyncio."""
