# The command line, the engine with storage in S3, and the whole workflow, for a user without rights:
#     docker build --tag psfalign .
#     docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" psfalign psfalign --help
FROM python:3.13-slim AS build
WORKDIR /source
COPY requirements.lock requirements-s3.lock ./
# All that is downloaded is compared with a lock, what builds the wheel, too.
RUN awk '/^[^ ]/ { own = /^setuptools==/ } own' requirements.lock > build.lock \
    && python -m venv /opt/psfalign \
    && /opt/psfalign/bin/pip install --no-cache-dir --require-hashes -r requirements-s3.lock \
        -r build.lock
COPY . .
RUN /opt/psfalign/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /opt/psfalign /opt/psfalign
ENV PATH=/opt/psfalign/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --no-create-home psfalign
USER psfalign
WORKDIR /work
CMD ["psfalign", "--help"]
