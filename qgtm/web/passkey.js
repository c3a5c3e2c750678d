// Puts a passkey's answer into the form that asks for it. A form says what it wants in data-passkey: JSON, all bytes in base64url.
(() => {
  "use strict";
  const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
  const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const keys = list => (list || []).map(id => ({type: "public-key", id: bytes(id)}));

  const asked = async want => {
    const common = {challenge: bytes(want.challenge), timeout: 60000};
    if (want.user) {
      return navigator.credentials.create({publicKey: {...common,
        rp: {id: want.rp, name: "QGTM"},
        user: {id: bytes(want.user.id), name: want.user.name, displayName: want.user.name},
        pubKeyCredParams: [-7, -8, -257].map(alg => ({type: "public-key", alg})),
        excludeCredentials: keys(want.keys),
        authenticatorSelection: {residentKey: "required", userVerification: "required"},
        attestation: "none"}});
    }
    return navigator.credentials.get({publicKey: {...common, rpId: want.rp, allowCredentials: keys(want.keys), userVerification: "required"}});
  };

  const said = credential => JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type,
    response: Object.fromEntries(["clientDataJSON", "attestationObject", "authenticatorData", "signature"]
      .filter(name => credential.response[name]).map(name => [name, text(credential.response[name])])),
  });

  // What a browser says of these is meant for programmers.
  const why = {
    NotAllowedError: "it was cancelled, took too long, or no passkey on this device is one for this page",
    InvalidStateError: "this device holds a passkey for this page already",
    ConstraintError: "this device cannot keep a passkey that asks for your face, finger or code",
    NotSupportedError: "this device cannot make a passkey of the kind that is needed",
    SecurityError: "a passkey does not work at this address",
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const word = form.querySelector("[role=status]");
    form.addEventListener("submit", async event => {
      event.preventDefault();
      const button = form.querySelector("button");
      button.disabled = true;
      word.textContent = "Waiting for your passkey…";
      try {
        if (!window.PublicKeyCredential) throw new Error("this browser, or this address, knows no passkeys");
        form.elements.proof.value = said(await asked(JSON.parse(form.dataset.passkey)));
        form.submit();
      } catch (problem) {
        word.textContent = `It did not work: ${why[problem.name] || problem.message || problem.name}. Try again.`;
        button.disabled = false;
        button.focus();
      }
    });
    form.querySelector("button").hidden = false;
  }
})();
