"""The dialect of Plivo and VTS: masking sessions at `/v1/Account/{auth_id}/Masking/Session`.

Shapes, texts and types follow Plivo's pages and SDKs; where they disagree, the strictest parser among the SDKs
decides. Nothing here is imported by another dialect.
"""
