# One image for web, worker and migrations; which of them a container is, its command says.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/smsdesk
COPY pyproject.toml requirements.lock README.md LICENSE manage.py ./
COPY smsdesk smsdesk
COPY contacts contacts
COPY campaigns campaigns
COPY inbound inbound
COPY templates templates
RUN pip install -c requirements.lock -e '.[postgres,sentry]'
# Only for the names of the files; the real secrets come when it runs.
RUN SECRET_KEY=build SMSDESK_PEPPER=build SMSDESK_CREDENTIAL_KEY=build python manage.py collectstatic --noinput --skip-checks \
    && useradd --system --home /var/lib/smsdesk --create-home smsdesk
USER smsdesk
ENV SMSDESK_DATA=/var/lib/smsdesk
VOLUME /var/lib/smsdesk
EXPOSE 8000
CMD ["gunicorn", "smsdesk.wsgi:application", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", \
     "--threads", "8", "--no-control-socket", "--graceful-timeout", "15"]
